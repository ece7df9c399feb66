/* The name of the planted bug, for what is compiled once; see CMakeLists.txt. */
extern const char planted_bug[];
const char planted_bug[] = PLANT;
