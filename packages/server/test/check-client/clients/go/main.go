// golang.org/x/oauth2: an http.Client with clientcredentials, as its documentation has it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"

	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	config := clientcredentials.Config{
		ClientID:     os.Getenv("MINTMARK_CLIENT_ID"),
		ClientSecret: os.Getenv("MINTMARK_CLIENT_SECRET"),
		TokenURL:     os.Getenv("MINTMARK_TOKEN_URL"),
	}
	client := config.Client(context.Background())
	calls := make(chan int)
	var workers sync.WaitGroup
	for i := 0; i < number("MINTMARK_PARALLEL"); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for range calls {
				if err := call(client); err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	for i := 0; i < number("MINTMARK_CALLS"); i++ {
		calls <- i
	}
	close(calls)
	workers.Wait()
}

func call(client *http.Client) error {
	response, err := client.Get(os.Getenv("MINTMARK_API_URL"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		log.Fatal(err)
	}
	return value
}
