#include "report/output_error.h"
#include "base/json.h"
#include <string.h>

/* Null: not measured (rounded to nearest, or by a method that does not look at it). */
static void put_share(qz_str *s, double error, double energy) {
    if (energy > 0) qz_str_printf(s, "\"relative_error\":%.6g", error / energy);
    else qz_str_puts(s, "\"relative_error\":null");
}

void qz_output_error_add(qz_output_error *e, const qz_quantized *q) {
    qz_str_puts(&e->linears, e->n++ ? ",{\"name\":" : "{\"name\":");
    qz_json_quote(&e->linears, q->name, strlen(q->name));
    qz_str_putc(&e->linears, ',');
    put_share(&e->linears, q->error, q->energy);
    qz_str_putc(&e->linears, '}');
    if (q->energy > 0) e->error += q->error, e->energy += q->energy;
}

void qz_output_error_json(const qz_output_error *e, qz_str *out) {
    if (e->n == 0) {
        qz_str_puts(out, "null");
        return;
    }
    qz_str_puts(out, "{\"unit\":\"||(W-Q)X||^2 / ||WX||^2 on the calibration data\",");
    put_share(out, e->error, e->energy);
    qz_str_printf(out, ",\"linears\":[%s]}", e->linears.ptr ? e->linears.ptr : "");
    out->failed |= e->linears.failed;
}

void qz_output_error_release(qz_output_error *e) {
    qz_str_release(&e->linears);
    *e = (qz_output_error){0};
}
