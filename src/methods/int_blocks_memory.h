/* Bytes that coding a decoder block at a time holds (int_blocks.c), for the plan that is printed and kept: floats,
 * codes and errors of the block, the solver under one input's matrix, and where tokens flow their states. */
#ifndef QZ_METHODS_INT_BLOCKS_MEMORY_H
#define QZ_METHODS_INT_BLOCKS_MEMORY_H
#include "methods/method.h"

qz_method_memory qz_int_blocks_memory(const qz_method_options *o, const qz_method_sizes *s);
/* The same where blocks are run again for each scale that is tried (AWQ's own search). */
qz_method_memory qz_int_blocks_replay_memory(const qz_method_options *o, const qz_method_sizes *s);
#endif
