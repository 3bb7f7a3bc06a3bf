<picture>
  <?php foreach ($picture['sources'] as $source): ?><source <?php foreach ($source + ['sizes' => 'auto, 100vw'] as $name => $value): ?><?= $name ?>="<?= htmlspecialchars($value) ?>" <?php endforeach ?>><?php endforeach ?>

  <img loading="lazy" decoding="async" sizes="auto, 100vw" <?php foreach ($picture['img'] as $name => $value): ?><?= $name ?>="<?= htmlspecialchars($value) ?>" <?php endforeach ?>

    alt="<?= htmlspecialchars($alt) ?>" style="background:<?= htmlspecialchars($picture['placeholder'] ?? '') ?>">
</picture>
