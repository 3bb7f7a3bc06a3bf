<?php

use Firebase\JWT\JWT;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

// In routes/web.php, behind the session
Route::get('/darkroom-token', function (Request $request) {
    abort_unless($request->user(), 401);
    $claims = ['sub' => (string) $request->user()->id, 'scope' => 'upload', 'exp' => time() + 600];
    return response(JWT::encode($claims, config('services.darkroom.auth_secret'), 'HS256'))
        ->withHeaders(['Content-Type' => 'text/plain', 'Cache-Control' => 'no-store']);
});

// In routes/api.php, where no CSRF token is asked for: it is signed instead
Route::post('/darkroom-webhook', function (Request $request) {
    [$id, $timestamp, $signatures] = array_map(
        fn ($name) => (string) $request->header("webhook-$name"),
        ['id', 'timestamp', 'signature'],
    );
    $key = base64_decode(preg_replace('/^whsec_/', '', config('services.darkroom.webhook_secret')));
    $mac = hash_hmac('sha256', "$id.$timestamp.{$request->getContent()}", $key, true);
    $expected = 'v1,' . base64_encode($mac);
    $fresh = abs(time() - (int) $timestamp) <= 300;
    $given = array_filter(explode(' ', $signatures), fn ($one) => hash_equals($expected, $one));
    abort_unless($fresh && $given, 401);
    $data = json_decode($request->getContent(), true)['data'];
    // $data['id'] is now $data['status']; it may come twice and late: pass over a $data['rev'] that is not greater
    return response()->noContent();
});
