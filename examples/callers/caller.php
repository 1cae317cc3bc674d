<?php
// A caller in PHP (8.0 or later) with the curl extension: php caller.php POST /orders '{"item": "book"}'
// Prints the answer; ends with 0 if it is 2xx, with 1 if it is any other, with 2 if there is none.

const TRIES = 6;
const PASSING = [429, 502, 503, 504];

class Refused extends Exception {}

// One request: code, header fields (names in lower case), body; null where the connection broke.
function ask(string $method, string $url, array $headers, ?string $body = null, int $seconds = 60): ?array
{
    $fields = [];
    $handle = curl_init($url);
    curl_setopt_array($handle, [
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => $seconds,
        CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$fields): int {
            if (str_contains($line, ':')) {
                [$name, $value] = explode(':', $line, 2);
                $fields[strtolower(trim($name))] = trim($value);
            }
            return strlen($line);
        },
    ]);
    if ($body !== null) {
        curl_setopt($handle, CURLOPT_POSTFIELDS, $body);
    }
    $content = curl_exec($handle);
    return $content === false ? null : [curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $fields, $content];
}

// Stored and run in the background; the URL where the answer will be. With a key it is safe to send it again where the
// answer was lost: it is accepted once.
function submit(string $gateway, string $method, string $path, ?string $body, string $key): string
{
    $headers = ["Idempotency-Key: $key", 'Content-Type: application/json'];
    for ($number = 1; ; $number++) {
        $answer = ask($method, "$gateway/async$path", $headers, $body, 30);
        if ($answer !== null && $answer[0] >= 200 && $answer[0] < 300) {
            return json_decode($answer[2], true)['response_url'];
        }
        if ($answer !== null && (!in_array($answer[0], PASSING) || $number === TRIES)) {
            throw new Refused($answer[2]);
        }
        if ($number === TRIES) {
            throw new Refused("nobody answers at $gateway");
        }
        usleep((int) (1_000_000 * max(2 ** $number / 4, (float) ($answer[1]['retry-after'] ?? 0))));
    }
}

// The upstream's answer, held back until there is one, 20 seconds at a time. Restante's own answers carry
// Restante-Status, an upstream's never does. An error is handed out once, so what came must not be thrown away.
function result(string $url): array
{
    while (true) {
        $answer = ask('GET', $url, ['Prefer: wait=20']);
        if ($answer === null) { // nobody there just now; the server gives it again if we did not get it
            sleep(1);
            continue;
        }
        [$code, $fields, $content] = $answer;
        $status = $fields['restante-status'] ?? null;
        if ($status === null) {
            return [$code, $content];
        }
        if ($status !== 'pending' && $status !== 'processing') {
            throw new Refused($content); // it broke (502, 504), was cancelled (410), or is not known (404)
        }
        sleep((int) ($fields['retry-after'] ?? 1));
    }
}

try {
    $gateway = getenv('GATEWAY') ?: 'http://127.0.0.1:8600';
    $url = submit($gateway, $argv[1], $argv[2], $argv[3] ?? null, getenv('KEY') ?: bin2hex(random_bytes(16)));
    fwrite(STDERR, "accepted: $url\n");
    [$code, $content] = result($url);
    echo $content;
    exit($code >= 200 && $code < 300 ? 0 : 1);
} catch (Refused $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(2);
}
