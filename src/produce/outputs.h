/* The one guard of everything that is written: called by every verb that writes, before any work.
 *   qz_outputs o = {.run = run}; qz_outputs_claim(&o, r, path, err) for every path, as soon as it is known;
 *   at the end qz_outputs_end(&o, st).
 * Refused (QZ_EUSAGE), with --force too: an output, or a file that we write beside it, that is an input of the request
 * (device and inode, so through links and hard links), that lies in an input folder (of a checkpoint named by its
 * config.json too), that is a folder holding an input, or that is neither a regular file nor a folder. Without --force
 * and --resume: whatever exists. What stands beside the output and is not ours (NAME.partial, NAME.manifest.json of
 * another program) is never replaced. Missing parent folders are made (not in a dry run); `end` removes those still
 * empty after a failure.
 * Two jobs on one output: the second is refused while the first runs. Every name has a lock file PATH.partial.lock from
 * its claim to the end of the job; one that a killed job has left is the mark that PATH.partial and its like
 * are ours. */
#ifndef QZ_PRODUCE_OUTPUTS_H
#define QZ_PRODUCE_OUTPUTS_H
#include "base/io.h"
#include "produce/request.h"

/* Statistics that a job makes for itself beside its output, and removes: never a name that a user would
 * give his own. */
#define QZ_OWN_STATS ".partial.stats"
typedef enum { QZ_OUTPUT_ARTIFACT, QZ_OUTPUT_FILE, QZ_OUTPUT_FOLDER } qz_output_kind;
typedef struct { qz_lock lock; char *path; qz_output_kind kind; } qz_claimed;
/* run: says what was put right */
typedef struct { qz_run *run; char **made; size_t n; qz_claimed *claimed; size_t n_claimed; } qz_outputs;
/* kind: an artifact (file or folder, with manifest and statistics), a single file, or a folder that only receives files
 * (release): that one may exist and hold inputs, each file in it is claimed for itself. */
qz_status qz_outputs_claim(qz_outputs *o, const qz_request *r, const char *path, qz_output_kind kind, qz_error *err);
/* Parts of a split GGUF artifact: `first` as an artifact (its manifest says all), the others as files. */
qz_status qz_outputs_claim_parts(qz_outputs *o, const qz_request *r, const char *first, size_t count, qz_error *err);
/* QZ_EUSAGE for a name that cannot be an output: '-', a folder named by where it is ('/', '.', '..'), one that loaders
 * read in the source's folder. */
qz_status qz_outputs_named(const qz_request *r, const char *path, qz_output_kind kind, qz_error *err);
/* QZ_EUSAGE naming a file of the folder that its manifest does not list: replacing the folder would delete it. */
qz_status qz_outputs_listed(const char *path, qz_error *err);
bool qz_outputs_interrupted(const qz_outputs *o, const char *path); /* a job that wrote there was killed */
/* After success removes what killed jobs of another kind have left beside the outputs, and says so. */
void qz_outputs_end(qz_outputs *o, qz_status st);

/* ---- after a kill (outputs_left.c) ---- */
/* What stands at PATH+ending was left by a job of ours: by its first bytes, or by the lock file or
 * journal beside it. */
bool qz_outputs_left(const char *path, const char *ending);
bool qz_outputs_unfinished(const char *path); /* a journal stands beside it */
/* Puts back or removes what a kill between two renames has left as NAME.partial.old, and says so. The names
 * have been claimed. */
qz_status qz_outputs_recover(qz_run *run, const char *path, qz_output_kind kind, qz_error *err);
/* The output is whole: removes what else stands beside it of a job that was killed after its last
 * rename, and says so. */
qz_status qz_outputs_tidy(qz_run *run, const char *path, qz_output_kind kind, qz_error *err);
/* The same of statistics alone, before a job that makes none begins to write: they take its room. */
qz_status qz_outputs_tidy_stats(qz_run *run, const char *path, qz_error *err);
#endif
