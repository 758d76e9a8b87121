#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"split-max-size", 0, QZ_OPT_TEXT, QZ_AT(split_size), "N(M|G)", NULL, 0, 0,
     "split: parts of at most so much tensor data (10^6, 10^9 bytes)"},
    {"split-max-tensors", 0, QZ_OPT_TEXT, QZ_AT(split_tensors), "N", NULL, 0, 0,
     "split: parts of at most N tensors (default 128)"},
    {"no-tensor-first-split", 0, QZ_OPT_FLAG, QZ_AT(empty_first), NULL, NULL, 0, 0,
     "split: the first part holds the keys and no tensors"},
    {"reserve", 0, QZ_OPT_TEXT, QZ_AT(reserve_room), "N(K|M)", NULL, 0, 0,
     "set, unset: write the file anew with this room for later edits (a file without room gets 64K when it must be "
     "written anew)"},
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "merge, split: replace an existing output"},
};
const qz_verb qz_verb_gguf = {
    .name = "gguf", .summary = "GGUF files as they are: parts joined, a file split, keys edited",
    .operands = "JOB FILE [OUT | EDIT…]", .min_operands = 1, .max_operands = 66,
    .details = "merge PART OUT: all parts in one file. split FILE OUT: OUT-00001-of-0000N.gguf. set FILE KEY=VALUE…: a "
               "key keeps its type; a new one names it (KEY:TYPE=VALUE), KEY=@FILE takes a text from a file. unset "
               "FILE KEY…. repair FILE: an interrupted edit is taken back. Tensors' bytes never change.",
    QZ_OPTIONS(options), .run = qz_run_gguf_verb};
