/* What stands under the name of a container and is none: a Git LFS pointer, an HTML page, an archive, a pickle … */
#ifndef QZ_FORMATS_STRANGE_H
#define QZ_FORMATS_STRANGE_H
#include <stddef.h>
#include "base/status.h"

/* QZ_EFORMAT that names what was found beside `expected`, and what to do; QZ_OK if the first bytes are nothing
 * that is known. */
qz_status qz_strange(const void *bytes, size_t n, const char *path, const char *expected, qz_error *err);
#endif
