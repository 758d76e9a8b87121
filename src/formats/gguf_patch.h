/* Changes bytes of a file in place so that a kill at any moment loses nothing: first FILE.undo, whole and on the disk,
 * says what stood there; then the new bytes, on the disk; then FILE.undo goes. Whoever finds FILE.undo (qz_gguf_open
 * does, and refuses) finds an edit that was interrupted; qz_gguf_patch_recover takes it back.
 * The path must not be a link; the caller holds the file's lock. Errors: QZ_EIO naming the file. */
#ifndef QZ_FORMATS_GGUF_PATCH_H
#define QZ_FORMATS_GGUF_PATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

/* Writes n bytes at offset. */
qz_status qz_gguf_patch(const char *path, uint64_t offset, const uint8_t *bytes, size_t n, qz_error *err);
/* OTHER: FILE.undo was the record of a file that stood here before (another size, or bytes that are neither what stood
 * there nor what was to come): nothing of this file is half done, and the record is removed. */
typedef enum { QZ_PATCH_NONE, QZ_PATCH_TAKEN_BACK, QZ_PATCH_OTHER } qz_patch_left;
/* QZ_EFORMAT: FILE.undo is damaged, or no record. */
qz_status qz_gguf_patch_recover(const char *path, qz_patch_left *left, qz_error *err);
bool qz_gguf_patch_left(const char *path); /* FILE.undo stands there, and is not of another file */
#endif
