#include "methods/int_blocks_memory.h"
#include "calibrate/propagate.h"

qz_method_memory qz_int_blocks_memory(const qz_method_options *o, const qz_method_sizes *s) {
    return (qz_method_memory){.held = s->block * (4 + 1 + 4) + s->largest * 4 * 6 + qz_method_solver_bytes(s->config,
                                                  o->propagate && o->asymmetric),
                              /* and the quantized weights of a block */
                              .pass = o->propagate ? qz_propagate_bytes(s->config, s->windows,
                                                                        s->seq_len) + 4 * s->block : 0};
}

/* A replay keeps hidden states of all windows, inputs of a block's linears, and what a module gives twice over. */
qz_method_memory qz_int_blocks_replay_memory(const qz_method_options *o, const qz_method_sizes *s) {
    const qz_config *c = s->config;
    const uint64_t tokens = (uint64_t)s->windows * s->seq_len, attention = c->heads * c->head_dim;
    qz_method_memory m = qz_int_blocks_memory(o, s);
    m.held += 4 * s->block; /* the block's weights as they were, beside those that are tried */
    m.pass += 4 * tokens * (5 * c->hidden_size + 3 * attention + 4 * c->intermediate_size);
    return m;
}
