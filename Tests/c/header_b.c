#include HEADER
int other_unit(void);
int other_unit(void) { return 0; }
