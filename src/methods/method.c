/* The table of methods. */
#include "methods/method_rows.h"
#include <string.h>

#define QZ_METHOD(id, name, needs, takes, other, ops, what) \
    static unsigned needs_##id(const qz_method_options *o) { return (void)o, needs; }
#include "methods/methods.def"
#undef QZ_METHOD

static const qz_method rows[] = {
#define QZ_METHOD(id, name, needs, takes, other, ops, what) {name, needs_##id, takes, other, &ops, what},
#include "methods/methods.def"
#undef QZ_METHOD
};

const qz_method *qz_method_at(size_t i) { return i < sizeof rows / sizeof *rows ? &rows[i] : NULL; }

const qz_method *qz_method_named(const char *name) {
    for (size_t i = 0; name && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

uint64_t qz_method_solver_bytes(const qz_config *c, bool asymmetric) {
    qz_input_widths w;
    qz_input_widths_of(c, &w);
    const uint64_t k = qz_widest_input(&w);
    /* 3 doubles and 8 floats; of the residual stream 1 and 5 */
    const uint64_t corrections = k * k * 56 + c->hidden_size * k * 28;
    return k * k * 32 + (asymmetric ? corrections : 0);                /* 3 doubles and 2 floats */
}
