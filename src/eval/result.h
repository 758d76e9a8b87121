/* One measured figure with its interval and settings; made by eval and plan, used by gate and report. */
#ifndef QZ_EVAL_RESULT_H
#define QZ_EVAL_RESULT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

/* 95 % interval low..high; low == high: none */
typedef struct { double value, low, high; size_t n; bool present; } qz_figure;
#endif
