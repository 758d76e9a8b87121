/* What a layer keeps of the tokens before: keys and values of each, or a state of fixed size. The engine's cache and
 * the plans of memory count the same.
 *   const qz_layer_cache k = qz_cache_of(config, layer); */
#ifndef QZ_MODEL_CACHE_H
#define QZ_MODEL_CACHE_H
#include "model/config.h"

typedef struct {
    uint64_t heads, k_dim, v_dim; /* of a token: so many vectors of keys, and of values (v_dim 0: one serves as both);
                                   * heads 0: the layer keeps none */
    uint64_t window, state;       /* float32 values of a sequence: last inputs of a convolution, and its state */
} qz_layer_cache;
qz_layer_cache qz_cache_of(const qz_config *c, size_t layer);
/* Does any layer keep a state? */
bool qz_cache_has_state(const qz_config *c);
#endif
