#include "rollback/tpm_command.h"

#include <string.h>

#define NO_SESSIONS 0x8001
#define SESSIONS    0x8002
#define HEADER_SIZE 10 /* tag, size, code */

#define CODE_NV_DEFINE_SPACE 0x12a
#define CODE_NV_INCREMENT    0x134
#define CODE_NV_WRITE	     0x137
#define CODE_PCR_EVENT	     0x13c
#define CODE_NV_READ	     0x14e

#define OWNER		 0x40000001
#define PASSWORD_SESSION 0x40000009
#define ALGORITHM_SHA256 0x000b
#define EVENT_SIZE_MAX	 64

/* Attributes of an index: read and written with its own, empty, authorization; no lock-out. */
#define ATTRIBUTES   (1u << 2 | 1u << 18 | 1u << 25)
#define KIND_COUNTER (1u << 4)

/* Part 2, 6.6.3: a wrong handle is said with the number of the handle or session, in bits 6 to 11.
 */
#define CODE_HANDLE	   0x08b
#define CODE_FORMAT_ONE	   0x0bf
#define CODE_UNINITIALIZED 0x14a

static void put16(struct tpm_command *command, uint32_t value)
{
	command->bytes[command->size++] = (uint8_t)(value >> 8);
	command->bytes[command->size++] = (uint8_t)value;
}

static void put32(struct tpm_command *command, uint32_t value)
{
	put16(command, value >> 16);
	put16(command, value & 0xffff);
}

static void put64(struct tpm_command *command, uint64_t value)
{
	put32(command, (uint32_t)(value >> 32));
	put32(command, (uint32_t)value);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void begin(struct tpm_command *command, uint32_t code)
{
	*command = (struct tpm_command){0};
	put16(command, SESSIONS);
	put32(command, 0); /* the size, by end() */
	put32(command, code);
}

/* One session: the empty password. */
static void put_password(struct tpm_command *command)
{
	put32(command, 9);
	put32(command, PASSWORD_SESSION);
	put16(command, 0); /* nonce */
	command->bytes[command->size++] = 0;
	put16(command, 0); /* password */
}

static void end(struct tpm_command *command)
{
	size_t size = command->size;

	ASSERT(size <= TPM_COMMAND_SIZE_MAX);
	command->size = 2;
	put32(command, (uint32_t)size);
	command->size = size;
}

/* Both handles are the index: it authorizes what is done to it. */
static void begin_on_index(struct tpm_command *command, uint32_t code, uint32_t index)
{
	begin(command, code);
	put32(command, index);
	put32(command, index);
	put_password(command);
}

void tpm_nv_define(uint32_t index, enum tpm_nv_kind kind, struct tpm_command *ret_command)
{
	begin(ret_command, CODE_NV_DEFINE_SPACE);
	put32(ret_command, OWNER);
	put_password(ret_command);
	put16(ret_command, 0);	/* the index's authorization */
	put16(ret_command, 14); /* the description that follows */
	put32(ret_command, index);
	put16(ret_command, ALGORITHM_SHA256);
	put32(ret_command, ATTRIBUTES | (kind == TPM_NV_COUNTER ? KIND_COUNTER : 0));
	put16(ret_command, 0); /* policy */
	put16(ret_command, TPM_NV_NUMBER_SIZE);
	end(ret_command);
}

void tpm_nv_read(uint32_t index, struct tpm_command *ret_command)
{
	begin_on_index(ret_command, CODE_NV_READ, index);
	put16(ret_command, TPM_NV_NUMBER_SIZE);
	put16(ret_command, 0); /* offset */
	end(ret_command);
}

void tpm_nv_write(uint32_t index, uint64_t number, struct tpm_command *ret_command)
{
	begin_on_index(ret_command, CODE_NV_WRITE, index);
	put16(ret_command, TPM_NV_NUMBER_SIZE);
	put64(ret_command, number);
	put16(ret_command, 0); /* offset */
	end(ret_command);
}

void tpm_nv_increment(uint32_t index, struct tpm_command *ret_command)
{
	begin_on_index(ret_command, CODE_NV_INCREMENT, index);
	end(ret_command);
}

void tpm_pcr_event(uint32_t register_index, const void *event, size_t size,
		   struct tpm_command *ret_command)
{
	ASSERT(size <= EVENT_SIZE_MAX);
	begin(ret_command, CODE_PCR_EVENT);
	put32(ret_command, register_index);
	put_password(ret_command);
	put16(ret_command, (uint32_t)size);
	memcpy(ret_command->bytes + ret_command->size, event, size);
	ret_command->size += size;
	end(ret_command);
}

int tpm_answer_decode(const uint8_t *answer, size_t size, enum tpm_answer *ret_answer,
		      struct error *err)
{
	uint32_t tag, code;

	if (size < HEADER_SIZE || get32(answer + 2) != size)
		return error_set(err, ERROR_DEFECT, "the TPM's answer of %zu bytes is not whole",
				 size);
	tag = (uint32_t)answer[0] << 8 | answer[1];
	code = get32(answer + 6);
	if (code == 0 && tag == SESSIONS)
		*ret_answer = TPM_DONE;
	else if ((code & CODE_FORMAT_ONE) == CODE_HANDLE && tag == NO_SESSIONS)
		*ret_answer = TPM_ABSENT;
	else if (code == CODE_UNINITIALIZED && tag == NO_SESSIONS)
		*ret_answer = TPM_UNWRITTEN;
	else
		return error_set(err, ERROR_FAILED, "the TPM answers with code 0x%x", code);
	return 0;
}

int tpm_answer_number(const uint8_t *answer, size_t size, uint64_t *ret_number, struct error *err)
{
	/* behind the header: the size of what follows, then the size of the number */
	const size_t at = HEADER_SIZE + 4 + 2;

	if (size < at + TPM_NV_NUMBER_SIZE ||
	    (answer[at - 2] << 8 | answer[at - 1]) != TPM_NV_NUMBER_SIZE)
		return error_set(err, ERROR_DEFECT, "the TPM's answer holds no number");
	*ret_number = (uint64_t)get32(answer + at) << 32 | get32(answer + at + 4);
	return 0;
}
