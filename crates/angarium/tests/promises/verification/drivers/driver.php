<?php

declare(strict_types=1);

// Calls the printed functions, a case a line; prints what each one answered.
set_error_handler(function (int $level, string $message) {
    throw new ErrorException($message);
});
foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $line) {
    [$module, $names, $headers, $method, $body, $query, $payload, $secrets, $now] =
        explode("\t", $line);
    $pairs = [];
    foreach (array_filter(explode(',', $headers)) as $pair) {
        [$name, $value] = explode('=', $pair, 2);
        $pairs[ucwords($name, '-')] = base64_decode($value, true);
    }
    $given = [
        'headers' => $pairs,
        'method' => $method,
        'body' => base64_decode($body, true),
        'query' => base64_decode($query, true),
        'payload' => base64_decode($payload, true),
        'secrets' => array_map('base64_decode', array_filter(explode(',', $secrets))),
        'now' => (int) $now,
    ];
    try {
        require_once __DIR__ . "/$module.php";
        $arguments = array_map(fn ($name) => $given[$name], explode(',', $names));
        echo ("$module\\verify")(...$arguments) ? "true\n" : "false\n";
    } catch (Throwable $error) {
        echo 'threw ', strtr($error->getMessage(), "\n", ' '), "\n";
    }
}
