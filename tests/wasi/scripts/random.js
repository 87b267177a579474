// wasi:random: how much comes, and that it is not always the same.
var { random, insecure, insecureSeed } = wasi.random;
({
  sizes: [0, 1, 4096].map((size) => [random.getRandomBytes(size).length, insecure.getInsecureRandomBytes(size).length]),
  differs: [
    text(random.getRandomBytes(16)) !== text(random.getRandomBytes(16)),
    random.getRandomU64() !== random.getRandomU64(),
    insecure.getInsecureRandomU64() !== insecure.getInsecureRandomU64(),
  ],
  seed: insecureSeed.insecureSeed().length,
});
