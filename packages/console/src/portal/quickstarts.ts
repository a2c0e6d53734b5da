// Whole programs that get a token. The secret comes from the environment, never from the text.

export interface QuickstartServer {
  clientId: string;
  tokenEndpoint: string;
}

export interface Quickstart {
  title: string;
  /** Says how to run it. */
  text: string;
  file: string;
  code: string;
}

/** Name of the environment variable that every program reads. */
export const SECRET_VARIABLE = 'MINTMARK_CLIENT_SECRET';

export function quickstarts(server: QuickstartServer): Quickstart[] {
  return [curl(server), typescript(server), python(server), java(server), go(server), php(server)];
}

function curl({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'curl',
    text: 'In a shell, to try it out. Needs curl 7.76 or newer.',
    file: 'quickstart.sh',
    code: `# From the environment, so that no list of processes shows the secret.
printf '%s' "$${SECRET_VARIABLE}" |
  curl --silent --show-error --fail-with-body --include \\
    --data client_id=${clientId} \\
    --data-urlencode client_secret@- \\
    ${tokenEndpoint}
# {"access_token":"…","token_type":"Bearer","expires_in":3600}
# Then call the API with: curl --header "Authorization: Bearer $token" …`,
  };
}

function typescript({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'TypeScript',
    text: 'Needs nothing but Node.js 22.18 or newer: node quickstart.ts',
    file: 'quickstart.ts',
    code: `const tokenEndpoint = '${tokenEndpoint}';
const clientId = '${clientId}';
const clientSecret = process.env.${SECRET_VARIABLE} ?? '';

interface Token {
  text: string;
  expiresAt: number;
}

let kept: Token | undefined;

/** An access token: the same one until shortly before it expires. */
async function accessToken(): Promise<string> {
  if (kept !== undefined && Date.now() < kept.expiresAt) return kept.text;
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({ client_id: clientId, client_secret: clientSecret }),
  });
  if (!response.ok) {
    const id = response.headers.get('x-request-id');
    throw new Error(\`\${await response.text()} (x-request-id \${id})\`);
  }
  const answer = (await response.json()) as { access_token: string; expires_in: number };
  kept = { text: answer.access_token, expiresAt: Date.now() + (answer.expires_in - 30) * 1000 };
  return kept.text;
}

await accessToken();
console.log('It works: got a token.');
// const answer = await fetch('https://api.example.com/v1/campaigns', {
//   headers: { Authorization: \`Bearer \${await accessToken()}\` },
// });`,
  };
}

function python({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'Python',
    text: 'Needs requests (pip install requests): python3 quickstart.py',
    file: 'quickstart.py',
    code: `import os
import time

import requests

TOKEN_ENDPOINT = "${tokenEndpoint}"
CLIENT_ID = "${clientId}"
CLIENT_SECRET = os.environ["${SECRET_VARIABLE}"]

_token, _expires_at = None, 0.0


def access_token():
    """An access token: the same one until shortly before it expires."""
    global _token, _expires_at
    if time.monotonic() >= _expires_at:
        response = requests.post(
            TOKEN_ENDPOINT,
            data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            timeout=10,
        )
        if not response.ok:
            trace = response.headers.get("x-request-id")
            raise RuntimeError(f"{response.text} (x-request-id {trace})")
        answer = response.json()
        _token = answer["access_token"]
        _expires_at = time.monotonic() + answer["expires_in"] - 30
    return _token


access_token()
print("It works: got a token.")
# headers = {"Authorization": f"Bearer {access_token()}"}
# requests.get("https://api.example.com/v1/campaigns", headers=headers)`,
  };
}

function java({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'Java',
    text: 'Needs nothing but a JDK of version 17 or newer: java Quickstart.java',
    file: 'Quickstart.java',
    code: `import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.regex.Pattern;

public class Quickstart {
  private static final URI TOKEN_ENDPOINT = URI.create("${tokenEndpoint}");
  private static final String CLIENT_ID = "${clientId}";
  private static final Pattern TOKEN =
      Pattern.compile("\\"access_token\\"\\\\s*:\\\\s*\\"([^\\"]+)\\"");
  private static final Pattern SECONDS =
      Pattern.compile("\\"expires_in\\"\\\\s*:\\\\s*(\\\\d+)");

  private final HttpClient http = HttpClient.newHttpClient();
  private String token = "";
  private Instant expiresAt = Instant.MIN;

  /** An access token: the same one until shortly before it expires. */
  synchronized String accessToken() throws Exception {
    if (Instant.now().isBefore(expiresAt)) return token;
    String secret = URLEncoder.encode(
        System.getenv("${SECRET_VARIABLE}"), StandardCharsets.UTF_8);
    HttpRequest request = HttpRequest.newBuilder(TOKEN_ENDPOINT)
        .timeout(Duration.ofSeconds(10))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .POST(HttpRequest.BodyPublishers.ofString(
            "client_id=" + CLIENT_ID + "&client_secret=" + secret))
        .build();
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      String id = response.headers().firstValue("x-request-id").orElse("none");
      throw new IllegalStateException(response.body() + " (x-request-id " + id + ")");
    }
    token = find(TOKEN, response.body());
    expiresAt = Instant.now().plusSeconds(Long.parseLong(find(SECONDS, response.body())) - 30);
    return token;
  }

  private static String find(Pattern pattern, String text) {
    var matcher = pattern.matcher(text);
    if (!matcher.find()) throw new IllegalStateException("The answer has no " + pattern);
    return matcher.group(1);
  }

  public static void main(String[] args) throws Exception {
    new Quickstart().accessToken();
    System.out.println("It works: got a token.");
    // Call the API with the header "Authorization: Bearer " + accessToken().
  }
}`,
  };
}

function go({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'Go',
    text: 'Needs golang.org/x/oauth2 (go get golang.org/x/oauth2): go run quickstart.go',
    file: 'quickstart.go',
    code: `package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	config := clientcredentials.Config{
		ClientID:     "${clientId}",
		ClientSecret: os.Getenv("${SECRET_VARIABLE}"),
		TokenURL:     "${tokenEndpoint}",
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	// The source returns the same token until shortly before it expires.
	source := config.TokenSource(context.Background())
	if _, err := source.Token(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("It works: got a token.")
	// client := oauth2.NewClient(context.Background(), source)
	// client.Get("https://api.example.com/v1/campaigns")
}`,
  };
}

function php({ clientId, tokenEndpoint }: QuickstartServer): Quickstart {
  return {
    title: 'PHP',
    text: 'Needs the extension curl: php quickstart.php',
    file: 'quickstart.php',
    code: `<?php
const TOKEN_ENDPOINT = '${tokenEndpoint}';
const CLIENT_ID = '${clientId}';

/** An access token. Keep it until expires_in seconds have passed, for example in APCu. */
function access_token(): array
{
    $headers = [];
    $request = curl_init(TOKEN_ENDPOINT);
    curl_setopt_array($request, [
        CURLOPT_POSTFIELDS => http_build_query([
            'client_id' => CLIENT_ID,
            'client_secret' => getenv('${SECRET_VARIABLE}'),
        ]),
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
        CURLOPT_HEADERFUNCTION => function ($request, string $line) use (&$headers): int {
            $parts = explode(':', $line, 2);
            if (count($parts) === 2) {
                $headers[strtolower($parts[0])] = trim($parts[1]);
            }
            return strlen($line);
        },
    ]);
    $body = curl_exec($request);
    if ($body === false) {
        throw new RuntimeException(curl_error($request));
    }
    if (curl_getinfo($request, CURLINFO_RESPONSE_CODE) !== 200) {
        throw new RuntimeException("$body (x-request-id {$headers['x-request-id']})");
    }
    return json_decode($body, true, flags: JSON_THROW_ON_ERROR);
}

$token = access_token();
echo "It works: got a token for {$token['expires_in']} seconds.\\n";
// Call the API with the header "Authorization: Bearer {$token['access_token']}".`,
  };
}
