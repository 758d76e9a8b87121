/* Inside of plan/hardware*.c. */
#ifndef QZ_PLAN_HARDWARE_INT_H
#define QZ_PLAN_HARDWARE_INT_H
#include "plan/hardware.h"
enum { QZ_HARDWARE_FILE_ROWS = 1024 };
/* Adds or replaces rows of an open set. */
qz_status qz_hardware_read_file(qz_hardware_set *set, const char *file, qz_error *err);
#endif
