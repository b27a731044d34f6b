#include "rollback/floor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rollback/tpm_command.h"

#define EVENT_TEXT "binvault rollback base "

static int device_transmit(void *context, const uint8_t *command, size_t size, uint8_t *answer,
			   size_t answer_size, struct error *err)
{
	int fd = *(const int *)context;
	ssize_t count = write(fd, command, size);

	if (count == (ssize_t)size)
		count = read(fd, answer, answer_size);
	if (count < 0)
		return error_set_errno(err, ERROR_IO, errno, "the TPM");
	return (int)count;
}

struct floor_tpm floor_tpm_device(int *fd)
{
	return (struct floor_tpm){.transmit = device_transmit, .context = fd};
}

static int ask(const struct floor_tpm *tpm, const struct tpm_command *command,
	       enum tpm_answer *ret_answer, uint64_t *ret_number, struct error *err)
{
	uint8_t answer[TPM_ANSWER_SIZE_MAX];
	int size = tpm->transmit(tpm->context, command->bytes, command->size, answer,
				 sizeof(answer), err);

	if (size < 0 || tpm_answer_decode(answer, (size_t)size, ret_answer, err) < 0)
		return err->code;
	if (ret_number && *ret_answer == TPM_DONE)
		return tpm_answer_number(answer, (size_t)size, ret_number, err);
	return 0;
}

/* A command that has to succeed. */
static int order(const struct floor_tpm *tpm, const struct tpm_command *command, struct error *err)
{
	enum tpm_answer answer;

	if (ask(tpm, command, &answer, NULL, err) < 0)
		return err->code;
	if (answer != TPM_DONE)
		return error_set(err, ERROR_FAILED, "the TPM does not know the index any more");
	return 0;
}

static int read_index(const struct floor_tpm *tpm, uint32_t index, enum tpm_answer *ret_answer,
		      uint64_t *ret_number, struct error *err)
{
	struct tpm_command command;

	tpm_nv_read(index, &command);
	return ask(tpm, &command, ret_answer, ret_number, err);
}

static int increment(const struct floor_tpm *tpm, struct error *err)
{
	struct tpm_command command;

	tpm_nv_increment(FLOOR_COUNTER_INDEX, &command);
	return order(tpm, &command, err);
}

static int define(const struct floor_tpm *tpm, uint32_t index, enum tpm_nv_kind kind,
		  struct error *err)
{
	struct tpm_command command;

	tpm_nv_define(index, kind, &command);
	return order(tpm, &command, err);
}

/* A counter holds a value from its first increment on. */
static int make_counter(const struct floor_tpm *tpm, enum tpm_answer found, uint64_t *ret_counter,
			struct error *err)
{
	if (found == TPM_ABSENT && define(tpm, FLOOR_COUNTER_INDEX, TPM_NV_COUNTER, err) < 0)
		return err->code;
	if (increment(tpm, err) < 0 ||
	    read_index(tpm, FLOOR_COUNTER_INDEX, &found, ret_counter, err) < 0)
		return err->code;
	return found == TPM_DONE ? 0 : error_set(err, ERROR_FAILED, "the counter has no value");
}

static int make_base(const struct floor_tpm *tpm, enum tpm_answer found, uint64_t base,
		     struct error *err)
{
	struct tpm_command command;

	if (found == TPM_ABSENT && define(tpm, FLOOR_BASE_INDEX, TPM_NV_PLAIN, err) < 0)
		return err->code;
	tpm_nv_write(FLOOR_BASE_INDEX, base, &command);
	return order(tpm, &command, err);
}

static int measure(const struct floor_tpm *tpm, uint64_t base, struct error *err)
{
	struct tpm_command command;
	char event[64];
	int length = snprintf(event, sizeof(event), EVENT_TEXT "%llu", (unsigned long long)base);

	tpm_pcr_event(FLOOR_REGISTER, event, (size_t)length, &command);
	return order(tpm, &command, err);
}

static int difference(uint64_t counter, uint64_t base, uint32_t *ret_floor, struct error *err)
{
	if (counter < base || counter - base > RELEASE_VERSION_MAX)
		return error_set(err, ERROR_DEFECT,
				 "counter %llu and base %llu in the TPM do not belong together",
				 (unsigned long long)counter, (unsigned long long)base);
	*ret_floor = (uint32_t)(counter - base);
	return 0;
}

int floor_enter(const struct floor_tpm *tpm, const struct release *release, uint32_t *ret_floor,
		struct error *err)
{
	enum tpm_answer counter_found, base_found;
	uint64_t counter = 0, base = 0;

	if (read_index(tpm, FLOOR_COUNTER_INDEX, &counter_found, &counter, err) < 0 ||
	    read_index(tpm, FLOOR_BASE_INDEX, &base_found, &base, err) < 0 ||
	    (counter_found != TPM_DONE && make_counter(tpm, counter_found, &counter, err) < 0))
		return error_prefix(err, "the floor of versions");
	if (base_found != TPM_DONE) {
		base = counter;
		if (make_base(tpm, base_found, base, err) < 0)
			return error_prefix(err, "the floor of versions");
	}
	if (measure(tpm, base, err) < 0 || difference(counter, base, ret_floor, err) < 0)
		return error_prefix(err, "the floor of versions");
	if (release->version < *ret_floor)
		return error_set(err, ERROR_REFUSED,
				 "this is version %u, and the TPM of this vault lets none below %u "
				 "run; install a newer one",
				 release->version, *ret_floor);
	return 0;
}

static int read_both(const struct floor_tpm *tpm, uint64_t *ret_counter, uint64_t *ret_base,
		     struct error *err)
{
	enum tpm_answer counter_found, base_found;

	if (read_index(tpm, FLOOR_COUNTER_INDEX, &counter_found, ret_counter, err) < 0 ||
	    read_index(tpm, FLOOR_BASE_INDEX, &base_found, ret_base, err) < 0)
		return err->code;
	if (counter_found != TPM_DONE || base_found != TPM_DONE)
		return error_set(err, ERROR_DEFECT, "the TPM holds no floor of versions");
	return 0;
}

int floor_read(const struct floor_tpm *tpm, uint32_t *ret_floor, struct error *err)
{
	uint64_t counter = 0, base = 0;

	if (read_both(tpm, &counter, &base, err) < 0)
		return err->code;
	return difference(counter, base, ret_floor, err);
}

int floor_raise(const struct floor_tpm *tpm, const struct release *release, uint32_t *ret_floor,
		struct error *err)
{
	uint32_t floor = 0;

	if (floor_read(tpm, &floor, err) < 0)
		return err->code;
	for (; floor < release->floor; floor++) {
		if (increment(tpm, err) < 0)
			return error_prefix(err, "raising the floor of versions to %u",
					    release->floor);
	}
	return floor_read(tpm, ret_floor, err);
}
