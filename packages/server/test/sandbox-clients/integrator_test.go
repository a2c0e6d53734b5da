// The tests of an integrator in Go, with golang.org/x/oauth2 and `mintmark sandbox`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jws"
)

// The library renews a token ten seconds before it expires.
const life = 14 * time.Second

type sandbox struct {
	Issuer       string `json:"issuer"`
	TokenURL     string `json:"token_url"`
	JwksURL      string `json:"jwks_url"`
	ControlURL   string `json:"control_url"`
	BaseURL      string `json:"base_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

var current sandbox

func TestMain(m *testing.M) {
	words := strings.Fields(os.Getenv("MINTMARK"))
	if len(words) == 0 {
		words = []string{"mintmark"}
	}
	options := []string{"sandbox", "--port", "0", "--control-port", "0", "--json", "--signing-algorithm", "RS256"}
	command := exec.Command(words[0], append(append(words[1:], options...), "--token-life", life.String())...)
	output, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		panic(err)
	}
	line, _ := bufio.NewReader(output).ReadBytes('\n')
	if err := json.Unmarshal(line, &current); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = command.Process.Signal(syscall.SIGTERM)
	if err := command.Wait(); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// Sends a request to the control API, and reads its answer.
func control(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	content, _ := json.Marshal(body)
	request, _ := http.NewRequest(method, current.ControlURL+path, bytes.NewReader(content))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatal(path, response.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
}

type object map[string]any

// A new sandbox for each test, and a source of tokens as an integrator makes it.
func start(t *testing.T) oauth2.TokenSource {
	control(t, "POST", "/reset", object{}, &current)
	config := clientcredentials.Config{
		ClientID:     current.ClientID,
		ClientSecret: current.ClientSecret,
		TokenURL:     current.TokenURL,
		// Otherwise the library sends a refused first request again, in another form.
		AuthStyle: oauth2.AuthStyleInHeader,
	}
	return config.TokenSource(context.Background())
}

func token(t *testing.T, source oauth2.TokenSource) string {
	t.Helper()
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

func expectStatuses(t *testing.T, expected ...int) {
	t.Helper()
	var journal struct {
		Items []struct {
			Endpoint string
			Status   int
		}
	}
	control(t, "GET", "/requests", nil, &journal)
	var statuses []int
	for _, item := range journal.Items {
		if item.Endpoint == "token" {
			statuses = append(statuses, item.Status)
		}
	}
	got, _ := json.Marshal(statuses)
	want, _ := json.Marshal(expected)
	if string(got) != string(want) {
		t.Fatalf("token requests: %s, not %s", got, want)
	}
}

// Verifies a token as an API does: the key by its id, issuer and time.
func verify(token string) error {
	response, err := http.Get(current.JwksURL)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var set struct{ Keys []struct{ Kid, N, E string } }
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return err
	}
	claims, err := jws.Decode(token)
	if err != nil {
		return err
	}
	if claims.Iss != current.Issuer || claims.Exp <= time.Now().Unix() {
		return errors.New("another issuer, or expired")
	}
	for _, key := range set.Keys {
		n, _ := base64.RawURLEncoding.DecodeString(key.N)
		e, _ := base64.RawURLEncoding.DecodeString(key.E)
		public := rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if jws.Verify(token, &public) == nil {
			return nil
		}
	}
	return errors.New("no key verifies the token")
}

func TestTokenIsKeptRenewedEarlyAndExpires(t *testing.T) {
	source := start(t)
	first := token(t, source)
	if token(t, source) != first {
		t.Fatal("the token was not kept")
	}
	time.Sleep(life - 10*time.Second + 200*time.Millisecond)
	if token(t, source) == first || verify(first) != nil {
		t.Fatal("the token was not renewed before it expired")
	}
	expectStatuses(t, 200, 200)
	var expired struct {
		AccessToken string `json:"access_token"`
	}
	control(t, "POST", "/tokens", object{"client_id": current.ClientID, "expired": true}, &expired)
	if verify(expired.AccessToken) == nil {
		t.Fatal("an expired token was accepted")
	}
}

func TestRetryAfterIsReported(t *testing.T) {
	source := start(t)
	fault := object{"status": 429, "retry_after": 1}
	control(t, "POST", "/faults/next", object{"faults": []object{fault}}, nil)
	_, err := source.Token()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response.Header.Get("Retry-After") != "1" {
		t.Fatal(err)
	}
	token(t, source)
	expectStatuses(t, 429, 200)
}

func TestOldKeyVerifiesAfterARotationAndNotAfterAWithdrawal(t *testing.T) {
	first := token(t, start(t))
	control(t, "POST", "/faults/rotate-key", object{}, nil)
	if err := verify(first); err != nil {
		t.Fatal(err)
	}
	control(t, "POST", "/faults/withdraw-key", object{}, nil)
	if verify(first) == nil {
		t.Fatal("a withdrawn key was accepted")
	}
}

func TestRevokedTokenIsNotActive(t *testing.T) {
	first := token(t, start(t))
	var api struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	control(t, "POST", "/api-users", object{"scopes": []string{"mintmark:introspect"}}, &api)
	active := func() bool {
		form := strings.NewReader("token=" + first)
		request, _ := http.NewRequest("POST", current.BaseURL+"/oauth2/introspect", form)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(api.ClientID, api.ClientSecret)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct{ Active bool }
		_ = json.NewDecoder(response.Body).Decode(&answer)
		return answer.Active
	}
	if !active() {
		t.Fatal("a good token is not active")
	}
	control(t, "POST", "/faults/revoke-tokens", object{"client_id": current.ClientID}, nil)
	if active() {
		t.Fatal("a revoked token is active")
	}
}

func TestOutageOfTenMinutesEndsWithTheClock(t *testing.T) {
	source := start(t)
	fault := object{"endpoint": "token", "status": 503}
	control(t, "POST", "/faults/during", object{"for": "10 min", "fault": fault}, nil)
	if _, err := source.Token(); err == nil {
		t.Fatal("a token in an outage")
	}
	control(t, "POST", "/clock/advance", object{"by": "10 min"}, nil)
	token(t, source)
	expectStatuses(t, 503, 200)
}
