/* Comes before every file (CMakeLists.txt): functions of the C library that no code of this tree may call, because they
 * do not know how long their target is, fail without saying so, or keep state of their own. What to use: snprintf,
 * memcpy of a known length, strsep, strtol and strtod with the end looked at, base/rng.h. */
#ifndef QZ_BASE_BANNED_H
#define QZ_BASE_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#undef alloca
#pragma GCC poison strcpy strcat stpcpy strncpy strncat sprintf vsprintf gets strtok atoi atol atoll atof alloca srand \
    tmpnam tempnam mktemp
#endif
