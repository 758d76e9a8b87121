/* The journal of a writer: which items are complete. First line: format and a hash of the plan; then per item its
 * index, the XXH64 of its bytes, the checksum of what was meant (proof.h) and the XXH64 of the line so far, appended
 * only after the data are on disk. A resume trusts nothing: it hashes data and lines again, and says what does not fit.
 * File: NAME.partial.journal, made before anything else and removed after the last rename: while it is there the
 * job is unfinished. */
#ifndef QZ_ARTIFACTS_ITEM_JOURNAL_H
#define QZ_ARTIFACTS_ITEM_JOURNAL_H
#include "artifacts/artifacts_int.h"

/* *done = items that are complete and whose data match; 0 if there is no journal, or it has none. QZ_EUSAGE: it has
 * some of another plan. */
qz_status qz_item_journal_find(qz_artifact_writer *w, size_t *done, qz_error *err);
/* Says what of an interrupted run is about to be dropped. */
void qz_item_journal_mourn(const qz_artifact_writer *w);
/* Opens w->journal with the lines of the first `done` items and nothing else. */
qz_status qz_item_journal_start(qz_artifact_writer *w, size_t done, qz_error *err);
/* Adds an item's line to the pending ones. */
void qz_item_journal_line(qz_str *out, size_t item, uint64_t stored, uint64_t meant);
/* Writes and syncs the pending lines. */
qz_status qz_item_journal_append(qz_artifact_writer *w, qz_error *err);
#endif
