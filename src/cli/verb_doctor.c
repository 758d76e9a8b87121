#include "cli/verbs.h"
#include "pipeline/verbs.h"

const qz_verb qz_verb_doctor = {.name = "doctor",
                                .summary =
                                    "why an artifact answers otherwise than its source: the first wrong step and "
                                    "its cause",
                                .operands = "SOURCE ARTIFACT",
                                .min_operands = 2,
                                .max_operands = 2,
                                .details = "Walks through both: files, scales that servers read, tokenizer, "
                                           "embedding, configuration, every block's parts, output matrix, chat "
                                           "template, sampling defaults. Weights that lie further from the "
                                           "source's than their bits explain are held against the known ways to "
                                           "go wrong (scales, zero points, order, exchanged or missing parts). "
                                           "Exit 1 where something is wrong.",
                                .run = qz_run_doctor_verb};
