/* The headers compile alone, twice, and in two translation units of one program. */
#include HEADER
#include HEADER
int other_unit(void);
int main(void) { return other_unit(); }
