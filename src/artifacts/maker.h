/* Who made an artifact and out of what, as far as it says so itself: what tells two uploads of one model apart. Read
 * from the manifest, a GGUF file's metadata, a folder's quantization_config, the front matter of the README.md beside
 * it. */
#ifndef QZ_ARTIFACTS_MAKER_H
#define QZ_ARTIFACTS_MAKER_H
#include <stdbool.h>

typedef struct {
    char by[120];     /* "quantz 0.1.0", "gptqmodel:2.0.0", a name; "": not said */
    char where[48];   /* that says it: "manifest", "general.quantized_by", "README.md" …; "": nobody */
    char base[160];   /* the model it names as its origin; "": none */
    char data[240];   /* importance matrix or calibration data; "": none named */
} qz_maker;
/* Never fails: what cannot be read says nothing. Texts are cut at their fields' sizes; control characters are '?'. */
void qz_maker_read(const char *path, qz_maker *out);
/* False: nothing at all is said. */
bool qz_maker_known(const qz_maker *m);
#endif
