#include "protocol/observed.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/wire.h"

struct observed_wire {
	le64 observed_usec;
	uint8_t server[128];
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
	le64 server_usec;
	uint8_t read_only;
	le64 expire_usec;
	le64 size_limit;
	uint8_t semi_sync;
	le64 semi_sync_client_count;
	le64 semi_sync_yes_count;
	le64 semi_sync_no_count;
	le32 file_count;
	uint8_t given_file[BINLOG_NAME_MAX + 1];
	le64 given_position;
	uint8_t given_gtids[OBSERVED_GTIDS_SIZE];
	uint8_t gtids[OBSERVED_GTIDS_SIZE];
};
static_assert(sizeof(struct observed_wire) == 17223, "OBSERVED's layout");

struct file_wire {
	le64 size;
	uint8_t encrypted;
	uint8_t name_size;
};
static_assert(sizeof(struct file_wire) == OBSERVED_FILE_SIZE_MAX - BINLOG_NAME_MAX,
	      "the layout of an entry of the list");

int observed_send(int fd, const struct observed *observed, int list_fd, struct error *err)
{
	struct observed_wire wire = {
		.observed_usec = le64_put(observed->observed_usec),
		.server_usec = le64_put(observed->server_usec),
		.read_only = observed->read_only,
		.expire_usec = le64_put(observed->expire_usec),
		.size_limit = le64_put(observed->size_limit),
		.semi_sync = (uint8_t)observed->semi_sync,
		.semi_sync_client_count = le64_put(observed->semi_sync_client_count),
		.semi_sync_yes_count = le64_put(observed->semi_sync_yes_count),
		.semi_sync_no_count = le64_put(observed->semi_sync_no_count),
		.file_count = le32_put(observed->file_count),
		.given_position = le64_put(observed->given_position),
	};

	ASSERT((list_fd >= 0) == (observed->file_count > 0));
	wire_put_sentence(wire.server, sizeof(wire.server), observed->server);
	wire_put_sentence(wire.sentence, sizeof(wire.sentence), observed->sentence);
	wire_put_text(wire.given_file, sizeof(wire.given_file), observed->given_file);
	wire_put_text(wire.given_gtids, sizeof(wire.given_gtids), observed->given_gtids);
	wire_put_text(wire.gtids, sizeof(wire.gtids), observed->gtids);
	return message_send(fd, MESSAGE_OBSERVED, &wire, sizeof(wire), &list_fd, list_fd >= 0, err);
}

static int take_texts(const struct message *message, const struct observed_wire *wire,
		      struct observed *observed, struct error *err)
{
	if (wire_take_sentence(message, "server", wire->server, sizeof(wire->server),
			       observed->server, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire->sentence, sizeof(wire->sentence),
			       observed->sentence, err) < 0 ||
	    wire_take_name(message, "given_file", wire->given_file, sizeof(wire->given_file),
			   name_check_binlog, true, observed->given_file, err) < 0 ||
	    wire_take_sentence(message, "given_gtids", wire->given_gtids, sizeof(wire->given_gtids),
			       observed->given_gtids, err) < 0 ||
	    wire_take_sentence(message, "gtids", wire->gtids, sizeof(wire->gtids), observed->gtids,
			       err) < 0)
		return err->code;
	return 0;
}

int observed_decode(const struct message *message, struct observed *ret, struct error *err)
{
	struct observed_wire wire;
	uint32_t file_count;

	if (wire_expect(message, MESSAGE_OBSERVED, sizeof(wire), 0, 1, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	file_count = le32_get(wire.file_count);
	if (file_count > OBSERVED_FILES_MAX || (file_count > 0) != (message->fd_count > 0))
		return wire_defect(message, "file_count", err);
	if (wire_take_choice(message, "read_only", wire.read_only, 1, err) < 0 ||
	    wire_take_choice(message, "semi_sync", wire.semi_sync, OBSERVED_SEMI_SYNC_ON, err) <
		    0 ||
	    take_texts(message, &wire, ret, err) < 0)
		return err->code;
	ret->observed_usec = le64_get(wire.observed_usec);
	ret->server_usec = le64_get(wire.server_usec);
	ret->read_only = wire.read_only;
	ret->expire_usec = le64_get(wire.expire_usec);
	ret->size_limit = le64_get(wire.size_limit);
	ret->semi_sync = (enum observed_semi_sync)wire.semi_sync;
	ret->semi_sync_client_count = le64_get(wire.semi_sync_client_count);
	ret->semi_sync_yes_count = le64_get(wire.semi_sync_yes_count);
	ret->semi_sync_no_count = le64_get(wire.semi_sync_no_count);
	ret->file_count = file_count;
	ret->given_position = le64_get(wire.given_position);
	return 0;
}

/* --- the list -------------------------------------------------------------------------------- */

size_t observed_file_encode(const struct observed_file *file,
			    uint8_t bytes[static OBSERVED_FILE_SIZE_MAX])
{
	size_t name_size = strlen(file->name);
	struct file_wire wire = {
		.size = le64_put(file->size),
		.encrypted = file->encrypted,
		.name_size = (uint8_t)name_size,
	};

	ASSERT(name_size <= BINLOG_NAME_MAX);
	memcpy(bytes, &wire, sizeof(wire));
	memcpy(bytes + sizeof(wire), file->name, name_size);
	return sizeof(wire) + name_size;
}

/* Returns the bytes that the entry takes. */
static int take_file(const uint8_t *bytes, size_t size, struct observed_file *file,
		     struct error *err)
{
	struct file_wire wire;

	if (size < sizeof(wire))
		return error_set(err, ERROR_DEFECT, "an entry is cut off");
	memcpy(&wire, bytes, sizeof(wire));
	if (wire.encrypted > 1 || wire.name_size > BINLOG_NAME_MAX ||
	    size - sizeof(wire) < wire.name_size)
		return error_set(err, ERROR_DEFECT, "an entry is not what it must be");
	file->size = le64_get(wire.size);
	file->encrypted = wire.encrypted;
	memcpy(file->name, bytes + sizeof(wire), wire.name_size);
	file->name[wire.name_size] = '\0';
	if (strlen(file->name) != wire.name_size)
		return error_set(err, ERROR_DEFECT, "a name with a NUL in it");
	if (name_check_binlog(file->name, err) < 0)
		return err->code = ERROR_DEFECT;
	return (int)(sizeof(wire) + wire.name_size);
}

int observed_list_check(const uint8_t *bytes, size_t size, uint32_t count, struct error *err)
{
	struct observed_file file;
	size_t offset = 0;

	for (uint32_t i = 0; i < count; i++) {
		int r = take_file(bytes + offset, size - offset, &file, err);

		if (r < 0)
			return error_prefix(err, "the list of binlog files, entry %u", i);
		offset += (size_t)r;
	}
	if (offset != size)
		return error_set(err, ERROR_DEFECT,
				 "the list of binlog files has %zu bytes behind its %u entries",
				 size - offset, count);
	return 0;
}

bool observed_list_next(const uint8_t *bytes, size_t size, size_t *offset,
			struct observed_file *ret_file)
{
	struct error err;
	int r;

	if (*offset >= size)
		return false;
	r = take_file(bytes + *offset, size - *offset, ret_file, &err);
	ASSERT(r > 0);
	*offset += (size_t)r;
	return true;
}
