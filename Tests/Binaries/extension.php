<?php
// The PHP extension as Debian ships it, on whatever librabbitmq it finds. Arguments: PORT, and for TLS the directory of the
// certificates and the name of the client's, or none for a login by password, or "stranger" for one who trusts others.

// PHP unloads its extensions before the preloaded witness looks: so this script says which library they had.
register_shutdown_function(function () {
  $libraries = preg_match_all('~/\S*librabbitmq\S*~', file_get_contents('/proc/self/maps'), $found) ? $found[0] : [];
  if (getenv('BINARIES_WITNESS')) {
    file_put_contents(getenv('BINARIES_WITNESS'), implode("\n", array_unique($libraries)) . "\n", FILE_APPEND);
  }
});

$settings = ['host' => '127.0.0.1', 'port' => (int)$argv[1], 'login' => 'guest', 'password' => 'guest',
  'heartbeat' => 5, 'read_timeout' => 10, 'write_timeout' => 10, 'rpc_timeout' => 10, 'connect_timeout' => 5];
if (isset($argv[2])) {
  $settings += ['cacert' => "$argv[2]/ca.pem", 'verify' => true];
  if (($argv[3] ?? '') === 'stranger') {
    $settings['cacert'] = "$argv[2]/other-ca.pem";
    try {
      (new AMQPConnection($settings))->connect();
      echo "connected\n";
    } catch (AMQPConnectionException $exception) {
      echo $exception->getMessage(), "\n";
    }
    exit(0);
  }
  if (isset($argv[3])) {
    $settings['cert'] = "$argv[2]/$argv[3].pem";
    $settings['key'] = "$argv[2]/$argv[3].key";
    $settings['sasl_method'] = AMQP_SASL_METHOD_EXTERNAL;
    $settings['login'] = 'tls-client';
  }
}

function expect($expected, $actual, $what) {
  if ($expected === $actual) return;
  fwrite(STDERR, "$what: expected " . var_export($expected, true) . ', got ' . var_export($actual, true) . "\n");
  exit(1);
}

$connection = new AMQPConnection($settings);
$connection->connect();
expect(true, $connection->isConnected(), 'isConnected');
expect(131072, $connection->getMaxFrameSize(), 'getMaxFrameSize');
$channel = new AMQPChannel($connection);
$channel->setPrefetchCount(50);

$exchange = new AMQPExchange($channel);
$exchange->setName('binaries.php.' . getmypid());
$exchange->setType(AMQP_EX_TYPE_TOPIC);
$exchange->setFlags(AMQP_AUTODELETE);
$exchange->declareExchange();

$queue = new AMQPQueue($channel);
$queue->setFlags(AMQP_EXCLUSIVE);
$queue->setArguments(['x-max-length' => 1000, 'x-message-ttl' => 60000]);
expect(0, $queue->declareQueue(), 'declareQueue');
$queue->bind($exchange->getName(), 'php.#', ['an' => 'argument']);

// Headers of every type that the extension can express, both ways.
$headers = ['text' => 'some text', 'empty' => '', 'int' => -5, 'long' => 1 << 40, 'true' => true, 'false' => false,
  'double' => 2.5, 'null' => null, 'list' => ['a', 'b', 'c'], 'table' => ['x' => 'y', 'z' => ['w' => 7]],
  'timestamp' => new AMQPTimestamp(1700000000), 'decimal' => new AMQPDecimal(2, 12345), 'octets' => "\0\1\xff"];
$attributes = ['content_type' => 'text/plain', 'content_encoding' => 'utf-8', 'delivery_mode' => 2, 'priority' => 3,
  'correlation_id' => 'corr', 'reply_to' => 'reply', 'expiration' => '50000', 'message_id' => 'id', 'timestamp' => 1234567890,
  'type' => 'a type', 'app_id' => 'app', 'headers' => $headers];
$exchange->publish('the body', 'php.one', AMQP_MANDATORY, $attributes);

function get($queue, $flags = AMQP_NOPARAM) {
  for ($tries = 0; $tries < 500; $tries++) {
    $envelope = $queue->get($flags);
    if ($envelope) return $envelope;
    usleep(10000);
  }
  expect('a message', null, 'get');
}

$envelope = get($queue);
expect('the body', $envelope->getBody(), 'body');
expect('php.one', $envelope->getRoutingKey(), 'routing key');
expect($exchange->getName(), $envelope->getExchangeName(), 'exchange');
expect(false, $envelope->isRedelivery(), 'redelivery');
expect('text/plain', $envelope->getContentType(), 'content type');
expect('utf-8', $envelope->getContentEncoding(), 'content encoding');
expect(2, $envelope->getDeliveryMode(), 'delivery mode');
expect(3, $envelope->getPriority(), 'priority');
expect('corr', $envelope->getCorrelationId(), 'correlation id');
expect('reply', $envelope->getReplyTo(), 'reply to');
expect('50000', $envelope->getExpiration(), 'expiration');
expect('id', $envelope->getMessageId(), 'message id');
expect(1234567890, (int)(string)$envelope->getTimestamp(), 'timestamp');
expect('a type', $envelope->getType(), 'type');
expect('app', $envelope->getAppId(), 'app id');
$seen = $envelope->getHeaders();
foreach (['text', 'empty', 'int', 'long', 'true', 'false', 'double', 'null', 'list', 'table', 'octets'] as $name) {
  expect($headers[$name], $seen[$name], "header $name");
}
expect('1700000000', (string)$seen['timestamp'], 'header timestamp');
expect([2, 12345], [$seen['decimal']->getExponent(), $seen['decimal']->getSignificand()], 'header decimal');
expect(count($headers), count($seen), 'number of headers');

// Not acknowledged: it comes again, and then no more.
$queue->nack($envelope->getDeliveryTag(), AMQP_REQUEUE);
$envelope = get($queue);
expect(true, $envelope->isRedelivery(), 'redelivery after nack');
$queue->reject($envelope->getDeliveryTag());
expect(false, (bool)$queue->get(AMQP_AUTOACK), 'a rejected message');

// Confirmed publishes of every size, consumed and acknowledged.
$taken = 0;
$channel->setConfirmCallback(
  function ($tag, $multiple) use (&$taken) { $taken = $tag; return $tag < 20; },
  function ($tag) { expect('ack', "nack $tag", 'confirmation'); });
$channel->confirmSelect();
$bodies = [];
for ($i = 0; $i < 20; $i++) {
  $bodies[] = str_repeat(chr(65 + $i), [0, 1, 100, 2048, 4096, 16384, 131064, 131065, 300000][$i % 9]);
  $exchange->publish($bodies[$i], "php.bulk.$i", AMQP_NOPARAM, ['headers' => ['n' => $i]]);
}
$channel->waitForConfirm(10);
expect(20, $taken, 'confirmed publishes');
$received = 0;
$queue->consume(function ($envelope, $queue) use (&$received, $bodies) {
  expect($received, $envelope->getHeader('n'), 'order');
  expect(true, $bodies[$received] === (string)$envelope->getBody(), "body $received");
  $queue->ack($envelope->getDeliveryTag());
  return ++$received < 20;
});
$queue->cancel();
expect(20, $received, 'consumed');

// What cannot be routed comes back.
$returned = null;
$other = new AMQPChannel($connection);
$other->setReturnCallback(function ($code, $text, $exchange, $key, $properties, $body) use (&$returned) {
  $returned = [$code, $key, $body];
  return false;
});
$elsewhere = new AMQPExchange($other);
$elsewhere->setName($exchange->getName());
$elsewhere->publish('lost', 'nobody', AMQP_MANDATORY);
$other->waitForBasicReturn(10);
expect([312, 'nobody', 'lost'], $returned, 'returned message');

// Transactions.
$third = new AMQPChannel($connection);
$third->startTransaction();
$within = new AMQPExchange($third);
$within->setName($exchange->getName());
$within->publish('rolled back', 'php.tx');
$third->rollbackTransaction();
$within->publish('committed', 'php.tx');
$third->commitTransaction();
expect('committed', get($queue, AMQP_AUTOACK)->getBody(), 'transaction');

// A channel that the broker closes is an exception, and the connection lives on.
try {
  $fourth = new AMQPChannel($connection);
  $missing = new AMQPQueue($fourth);
  $missing->setName('binaries.php.missing');
  $missing->setFlags(AMQP_PASSIVE);
  $missing->declareQueue();
  expect('an exception', null, 'passive declare');
} catch (AMQPQueueException $exception) {
  expect(404, $exception->getCode(), 'code of the exception');
}
expect(true, $connection->isConnected(), 'still connected');

// A read that times out.
$waiting = new AMQPConnection(['read_timeout' => 0.3] + $settings);
$waiting->connect();
$idle = new AMQPQueue(new AMQPChannel($waiting));
$idle->setFlags(AMQP_EXCLUSIVE);
$idle->declareQueue();
$began = microtime(true);
try {
  $idle->consume(function () { return false; });
  expect('an exception', null, 'consume of nothing');
} catch (AMQPException $exception) {
  expect(true, abs(microtime(true) - $began - 0.3) < 0.25, 'time of a timeout: ' . $exception->getMessage());
}
$waiting->disconnect();

$queue->purge();
$queue->unbind($exchange->getName(), 'php.#', ['an' => 'argument']);
expect(0, $queue->delete(), 'messages left');
$connection->disconnect();
expect(false, $connection->isConnected(), 'isConnected after disconnect');
echo "done\n";
