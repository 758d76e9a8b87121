#include "report/output_error.h"
#include "base/json_write.h"
#include <math.h>

/* Null: not measured (rounded to nearest, or by a method that does not look at it). */
static void put_share(qz_json_writer *w, double error, double energy) {
    qz_jw_real(w, "relative_error", energy > 0 ? error / energy : NAN);
}

void qz_output_error_add(qz_output_error *e, const qz_quantized *q) {
    qz_json_writer w = {.out = &e->linears, .comma = e->n++ > 0};
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "name", q->name);
    put_share(&w, q->error, q->energy);
    qz_jw_close(&w, '}');
    if (q->energy > 0) e->error += q->error, e->energy += q->energy;
}

void qz_output_error_json(const qz_output_error *e, qz_str *out) {
    qz_json_writer w = {.out = out};
    if (e->n == 0) {
        qz_str_puts(out, "null");
        return;
    }
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "unit", "||(W-Q)X||^2 / ||WX||^2 on the calibration data");
    put_share(&w, e->error, e->energy);
    qz_jw_open(&w, "linears", '[');
    qz_str_puts(out, e->linears.ptr ? e->linears.ptr : "");
    qz_str_puts(out, "]}");
    out->failed |= e->linears.failed;
}

void qz_output_error_release(qz_output_error *e) {
    qz_str_release(&e->linears);
    *e = (qz_output_error){0};
}
