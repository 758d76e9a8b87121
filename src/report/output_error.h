/* What coding costs a linear's output on the calibration data: ||(W-Q)X||² / ||WX||², one linear after the other and of
 * all. Codes alone do not show it; a figure without the energy would be small for data that have little.
 * qz_output_error e = {0}; qz_output_error_add(&e, &q) …; qz_output_error_json(&e, &s); qz_output_error_release(&e). */
#ifndef QZ_REPORT_OUTPUT_ERROR_H
#define QZ_REPORT_OUTPUT_ERROR_H
#include "base/str.h"
#include "codecs/quantized.h"

typedef struct {
    qz_str linears;       /* JSON objects with commas between them */
    size_t n;
    double error, energy; /* sums over the linears whose energy is known */
} qz_output_error;

void qz_output_error_add(qz_output_error *e, const qz_quantized *q);
/* {"unit":…,"relative_error":0.0012,"linears":[{"name":…,"relative_error":…},…]}; null where nothing was coded so. */
void qz_output_error_json(const qz_output_error *e, qz_str *out);
void qz_output_error_release(qz_output_error *e);
#endif
