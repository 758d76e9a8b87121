/* Fuzz target of config.json: a configuration that is accepted fulfils what the engine relies on. */
#include <stdlib.h>
#include "base/json.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_config c; /* large; no state is kept */
    json_t *root = NULL;
    qz_error err = {0};
    if (qz_json_parse((const char *)data, size, "fuzz", &root, &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    if (qz_config_from_json(root, "fuzz", &c, &err) == QZ_OK) {
        if (!c.layers || !c.heads || !c.kv_heads || c.heads % c.kv_heads || !c.head_dim || !c.vocab_size ||
            c.layers > QZ_MAX_LAYERS)
            abort();
        if (qz_config_validate(&c, "fuzz", &err) != QZ_OK || qz_config_parameters(&c) == 0) abort();
        if (c.head_dim <= 1024) {
            float inv[1024], factor;
            qz_rope_frequencies(&c, false, 4096, inv, &factor);
        }
        qz_model *m = NULL;
        if (c.layers <= 64 && qz_model_from_config(&c, "fuzz", &m, &err) != QZ_OK && !err.text[0]) abort();
        qz_model_free(m);
    } else if (!err.text[0]) {
        abort();
    }
    json_decref(root);
    return 0;
}
