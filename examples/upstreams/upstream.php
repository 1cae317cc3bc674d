<?php
// An API that honours Idempotency-Key, in PHP (8.0 or later): php -S 127.0.0.1:9003 upstream.php
// Orders are files in FOLDER, one for each key: the one who makes the file makes the order.

// What was made under this key: now, or at an earlier attempt. Written whole before it has its name, and only the
// first one gets the name.
function once(string $key, callable $make): string
{
    $folder = getenv('FOLDER') ?: 'orders';
    if (!is_dir($folder)) {
        @mkdir($folder, 0777, true);
    }
    $file = "$folder/" . hash('sha256', $key) . '.json';
    $draft = tempnam($folder, 'draft');
    file_put_contents($draft, json_encode($make()));
    @link($draft, $file); // fails where there is one already
    unlink($draft);
    return file_get_contents($file);
}

function say(int $code, string $body): void
{
    http_response_code($code);
    header('Content-Type: application/json');
    echo $body;
}

if ($_SERVER['REQUEST_METHOD'] !== 'POST' || $_SERVER['REQUEST_URI'] !== '/orders') {
    say(404, '{"message":"no such place"}');
    return;
}
$order = json_decode(file_get_contents('php://input'), true);
if (!is_array($order) || empty($order['item'])) {
    say(422, '{"message":"item is missing"}');
    return;
}
// Restante sends its transaction's id here, the same at every attempt, unless the caller sent a key.
$key = $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? bin2hex(random_bytes(16));
say(201, once($key, fn () => ['order' => bin2hex(random_bytes(8)), 'item' => $order['item']]));
