/* to be rewritten */
#include "tests/integration/db/db_test.h"
int main(void) { return 0; }
