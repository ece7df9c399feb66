// Replays exchanges: NAME.so, exchange.json.
#include "sluice/testing.hpp"

int main(int count, char** arguments) {
  if (count != 3) return 2;
  sluice::sdk::testing::Checks checks;
  checks.replay(arguments[1], arguments[2]);
  return checks.result();
}
