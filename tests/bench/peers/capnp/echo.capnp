@0xd5d4f1b9a7c34e21;

interface Echo {
  echo @0 (payload :Data) -> (payload :Data);
}
