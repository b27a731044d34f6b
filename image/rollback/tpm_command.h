/*
 * The few TPM 2.0 commands that the floor needs, as bytes: made here, and their answers judged.
 *
 * By hand and not through a library, because the initrd is one static program: each command has
 * one fixed shape, and of an answer two fields are read. Numbers are big-endian (TPM 2.0 Library
 * specification, part 3).
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TPM_COMMAND_SIZE_MAX 128
#define TPM_ANSWER_SIZE_MAX  4096
#define TPM_NV_NUMBER_SIZE   8 /* of what our indices hold */

enum tpm_nv_kind { TPM_NV_PLAIN, TPM_NV_COUNTER };

/* What a TPM said of an index. */
enum tpm_answer {
	TPM_DONE,
	TPM_ABSENT,    /* there is no such index */
	TPM_UNWRITTEN, /* there is, and nothing was ever written to it */
};

struct tpm_command {
	uint8_t bytes[TPM_COMMAND_SIZE_MAX];
	size_t size;
};

/* Indices of the owner, of 8 bytes, with an empty authorization and no lock-out. */
void tpm_nv_define(uint32_t index, enum tpm_nv_kind kind, struct tpm_command *ret_command);
void tpm_nv_read(uint32_t index, struct tpm_command *ret_command);
void tpm_nv_write(uint32_t index, uint64_t number, struct tpm_command *ret_command);
void tpm_nv_increment(uint32_t index, struct tpm_command *ret_command);

/* The TPM hashes @event (at most 64 bytes) and extends the register by it, in each bank. */
void tpm_pcr_event(uint32_t register_index, const void *event, size_t size,
		   struct tpm_command *ret_command);

/* ERROR_DEFECT if it is no whole answer, ERROR_FAILED if it says anything else than tpm_answer. */
int tpm_answer_decode(const uint8_t *answer, size_t size, enum tpm_answer *ret_answer,
		      struct error *err) MUST_CHECK;

/* The number in an answer to tpm_nv_read() that is TPM_DONE. */
int tpm_answer_number(const uint8_t *answer, size_t size, uint64_t *ret_number,
		      struct error *err) MUST_CHECK;
