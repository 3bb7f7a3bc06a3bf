<?php
// All of a small shop in Laravel. In place of its sign-in: everybody is DEMO_USER.
//
//   AUTH_SECRET=$(cat .darkroom/secret) WEBHOOK_SECRET=whsec_… php -S localhost:4000 examples/laravel.php

use Illuminate\Http\Request;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;

@include 'vendor/autoload.php'; // Composer's; where there is none, Debian's
class_exists(Illuminate\Foundation\Application::class) || require '/usr/share/php/Illuminate/autoload.php';

/** What `laravel new` writes, as far as one file needs it. */
class Kernel extends Illuminate\Foundation\Http\Kernel
{
    protected $bootstrappers = [];
    protected $routeMiddleware = ['ours' => FromOurPages::class];
}

/** `VerifyCsrfToken` where there are sessions; browsers say by themselves where a request comes from. */
class FromOurPages
{
    public function handle(Request $request, Closure $next)
    {
        abort_unless($request->header('sec-fetch-site') === 'same-origin', 403);
        return $next($request);
    }
}

function token(string $owner, string $scope): string
{
    $encode = fn (string $raw) => rtrim(strtr(base64_encode($raw), '+/', '-_'), '=');
    $claims = ['sub' => $owner, 'scope' => $scope, 'exp' => time() + 600];
    $signed = implode('.', array_map(fn ($part) => $encode(json_encode($part)), [['alg' => 'HS256'], $claims]));
    return "$signed." . $encode(hash_hmac('sha256', $signed, getenv('AUTH_SECRET'), true));
}

/** The answer's JSON; null of what was deleted. */
function darkroom(string $method, string $path, ?array $body = null): ?array
{
    $header = ['authorization: Bearer ' . token('shop', 'admin'), 'content-type: application/json'];
    $http = ['method' => $method, 'header' => $header, 'content' => $body ? json_encode($body) : '', 'ignore_errors' => true];
    $url = (getenv('API') ?: 'http://localhost:3001') . $path;
    $answer = file_get_contents($url, false, stream_context_create(['http' => $http]));
    $status = (int) explode(' ', $http_response_header[0])[1];
    throw_unless($status < 300 || $status === 410, "Darkroom answers $status");
    return $status === 410 ? null : json_decode($answer, true);
}

function isSigned(Request $request): bool
{
    $names = ['id', 'timestamp', 'signature'];
    [$id, $timestamp, $signatures] = array_map(fn ($name) => (string) $request->header("webhook-$name"), $names);
    $key = base64_decode(preg_replace('/^whsec_/', '', getenv('WEBHOOK_SECRET')));
    $mac = hash_hmac('sha256', "$id.$timestamp.{$request->getContent()}", $key, true);
    $given = array_filter(explode(' ', $signatures), fn ($one) => hash_equals('v1,' . base64_encode($mac), $one));
    return abs(time() - (int) $timestamp) <= 300 && $given;
}

$database = ['driver' => 'sqlite', 'prefix' => '', 'database' => getenv('DATABASE') ?: __DIR__ . '/../shop.db'];
$app = new Illuminate\Foundation\Application(__DIR__);
$app->instance('config', new Illuminate\Config\Repository([
    'app' => ['debug' => false, 'locale' => 'en', 'fallback_locale' => 'en'],
    'view' => ['paths' => [], 'compiled' => sys_get_temp_dir()],
    'database' => ['default' => 'sqlite', 'connections' => ['sqlite' => $database]],
]));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);
Illuminate\Support\Facades\Facade::setFacadeApplication($app);
foreach (['Filesystem\Filesystem', 'Translation\Translation', 'View\View', 'Database\Database'] as $provider) {
    $app->register("Illuminate\\{$provider}ServiceProvider");
}
$app->boot();
touch($database['database']);
Schema::hasTable('images') || Schema::create('images', function ($table) { // a migration, in a project
    $table->string('id')->primary();
    $table->string('owner')->default('')->index();
    $table->integer('rev');
    $table->string('status');
});

$user = getenv('DEMO_USER') ?: '42'; // (string) $request->user()->id; without one, abort(401)

Route::get('/darkroom-token', fn () => response(token($user, 'upload'))
    ->withHeaders(['Content-Type' => 'text/plain', 'Cache-Control' => 'no-store']));

// In routes/api.php, where no CSRF token is asked for: it is signed instead
Route::post('/darkroom-webhook', function (Request $request) {
    abort_unless(isSigned($request), 401);
    $event = json_decode($request->getContent(), true);
    ['id' => $id, 'rev' => $rev, 'status' => $status] = $event['data'];
    $owner = $status === 'deleted' ? '' : $event['context']['owner'] ?? null;
    $fields = compact('rev', 'status') + ($owner === null ? [] : compact('owner'));
    // It may come twice and late: what is not newer changes nothing.
    DB::table('images')->insertOrIgnore(compact('id') + $fields);
    DB::table('images')->where('id', $id)->where('rev', '<', $rev)->update($fields);
    return response()->noContent();
});

// What is private comes with URLs that open for an hour.
Route::get('/', function () use ($user) {
    ob_start();
    echo '<!doctype html><title>Pictures</title>';
    foreach (DB::table('images')->where('owner', $user)->where('status', 'ready')->pluck('id') as $id) {
        if (!($image = darkroom('GET', "/images/$id"))) continue;
        [$picture, $alt] = [$image['picture'], $image['alt'] ?? ''];
        include 'picture.php';
    }
    echo '<form method="post" action="/delete-me"><button>Delete me and my pictures</button></form>';
    return response(ob_get_clean())->header('Cache-Control', 'no-store');
});

Route::post('/delete-me', function () use ($user) {
    // End the user's sessions first: no more tokens. Webhooks tell of each image when it is gone.
    darkroom('POST', '/admin/reprocess', ['action' => 'delete', 'select' => ['owner' => $user]]);
    return redirect()->to('/');
})->middleware('ours');

$app->make(Illuminate\Contracts\Http\Kernel::class)->handle(Request::capture())->send();
