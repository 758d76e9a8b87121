#include "base/json_write.h"
#include "base/json.h"
#include <math.h>
#include <string.h>

void qz_jw_key(qz_json_writer *w, const char *key) {
    if (w->comma) qz_str_putc(w->out, ',');
    w->comma = true;
    if (key == NULL) return;
    qz_json_quote(w->out, key, strlen(key));
    qz_str_putc(w->out, ':');
}
void qz_jw_begin(qz_json_writer *w, qz_str *out) {
    *w = (qz_json_writer){.out = out};
    qz_str_putc(out, '{');
    qz_jw_count(w, "schema", QZ_JSON_SCHEMA);
}
void qz_jw_end(qz_json_writer *w) { qz_str_puts(w->out, "}\n"); }
void qz_jw_open(qz_json_writer *w, const char *key, char open) {
    qz_jw_key(w, key);
    qz_str_putc(w->out, open);
    w->comma = false;
}
void qz_jw_close(qz_json_writer *w, char close) {
    qz_str_putc(w->out, close);
    w->comma = true;
}
void qz_jw_row(qz_json_writer *w) {
    qz_str_puts(w->out, w->comma ? ",\n{" : "\n{");
    w->comma = false;
}
void qz_jw_text(qz_json_writer *w, const char *key, const char *value) {
    qz_jw_key(w, key);
    if (value) qz_json_quote(w->out, value, strlen(value));
    else qz_str_puts(w->out, "null");
}
void qz_jw_count(qz_json_writer *w, const char *key, uint64_t value) {
    qz_jw_key(w, key);
    qz_str_printf(w->out, "%llu", (unsigned long long)value);
}
void qz_jw_int(qz_json_writer *w, const char *key, int64_t value) {
    qz_jw_key(w, key);
    qz_str_printf(w->out, "%lld", (long long)value);
}
void qz_jw_real(qz_json_writer *w, const char *key, double value) {
    qz_jw_key(w, key);
    if (isfinite(value)) qz_str_printf(w->out, "%.9g", value);
    else qz_str_puts(w->out, "null");
}
void qz_jw_bool(qz_json_writer *w, const char *key, bool value) {
    qz_jw_key(w, key);
    qz_str_puts(w->out, value ? "true" : "false");
}
void qz_jw_null(qz_json_writer *w, const char *key) {
    qz_jw_key(w, key);
    qz_str_puts(w->out, "null");
}
void qz_jw_raw(qz_json_writer *w, const char *key, const char *json) {
    qz_jw_key(w, key);
    qz_str_puts(w->out, json);
}
