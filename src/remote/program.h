/* Another program, run without a shell, in bounded time and output. Its standard output and error come back together;
 * QZ_EIO: it cannot be run, ended with a code or a signal, or took too long (then it is killed). */
#ifndef QZ_REMOTE_PROGRAM_H
#define QZ_REMOTE_PROGRAM_H
#include "base/status.h"
#include "base/str.h"

typedef struct { double seconds; size_t bytes; } qz_program_bounds;
/* argv ends with NULL; argv[0] is a path. out: what it printed so far, also after an error. */
qz_status qz_program_run(char *const argv[], const qz_program_bounds *most, qz_str *out, qz_error *err);
#endif
