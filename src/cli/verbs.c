#include "cli/verbs.h"
#include <string.h>

static const qz_verb *const rows[] = {
#define QZ_VERB(id) &qz_verb_##id,
#include "pipeline/verbs.def"
#undef QZ_VERB
};

const qz_verb *qz_verb_at(size_t i) { return i < sizeof rows / sizeof rows[0] ? rows[i] : NULL; }

const qz_verb *qz_verb_find(const char *name) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i]->name, name) == 0) return rows[i];
    return NULL;
}
