/* The first byte chooses the message; the rest is its body. Whatever decodes must be well formed.
 */
#include "protocol/control.h"
#include "protocol/damaged_message.h"
#include "protocol/export_messages.h"
#include "protocol/hsm_messages.h"
#include "protocol/observed.h"
#include "protocol/pull_messages.h"
#include "protocol/pull_preflight.h"
#include "protocol/pull_semi_sync.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DECODE(type_, noun, prefix, fds)                                                           \
	case type_: {                                                                              \
		static struct noun native;                                                         \
		message.fd_count = (fds);                                                          \
		result = prefix##_decode(&message, &native, &err);                                 \
		break;                                                                             \
	}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message message;
	struct error err = {0};
	int result = 0;

	if (size < 2 || size - 2 > MESSAGE_BODY_MAX)
		return 0;
	message.type = (enum message_type)data[0];
	message.version = PROTOCOL_VERSION;
	message.body_size = size - 2;
	message.body = message.bytes + MESSAGE_HEADER_SIZE;
	memcpy(message.bytes + MESSAGE_HEADER_SIZE, data + 2, size - 2);
	switch (data[0]) {
		DECODE(MESSAGE_HELLO, hello, hello, 0)
		DECODE(MESSAGE_FAILURE, attached, attached, 0)
		DECODE(MESSAGE_ATTACH, attach, attach, 0)
		DECODE(MESSAGE_ATTACHED, attached, attached, 0)
		DECODE(MESSAGE_OPEN_SEGMENT, open_segment, open_segment, 0)
		DECODE(MESSAGE_SEGMENT_OPENED, segment_opened, segment_opened, 1)
		DECODE(MESSAGE_PROGRESS, progress, progress, 0)
		DECODE(MESSAGE_SEGMENT_CLOSED, segment_closed, segment_closed, 0)
		DECODE(MESSAGE_STATE, pull_status, pull_status, 0)
		DECODE(MESSAGE_PREFLIGHT, pull_preflight, pull_preflight, 0)
		DECODE(MESSAGE_CONTROL, control, control, 0)
		DECODE(MESSAGE_OBSERVED, observed, observed, data[1] & 1)
		DECODE(MESSAGE_DAMAGED, damaged, damaged, 0)
		DECODE(MESSAGE_SEMI_SYNC, pull_semi_sync, pull_semi_sync, 0)
		DECODE(MESSAGE_HSM_PROVISION, hsm_provision, hsm_provision, 0)
		DECODE(MESSAGE_HSM_KEYS, hsm_keys, hsm_keys, 0)
		DECODE(MESSAGE_HSM_UNWRAP, hsm_unwrap, hsm_unwrap, 0)
		DECODE(MESSAGE_HSM_UNWRAPPED, hsm_unwrapped, hsm_unwrapped, 0)
		DECODE(MESSAGE_HSM_SIGNED_STATE, hsm_signed_state, hsm_signed_state, 0)
		DECODE(MESSAGE_HSM_SIGN_CHECKPOINT, hsm_sign_checkpoint, hsm_sign_checkpoint, 0)
		DECODE(MESSAGE_HSM_SIGN_MANIFEST, hsm_sign_manifest, hsm_sign_manifest, 0)
		DECODE(MESSAGE_HSM_SIGNATURE, hsm_signature, hsm_signature, 0)
		DECODE(MESSAGE_EXPORT_BEGIN, export_begin, export_begin, data[1] & 1)
		DECODE(MESSAGE_EXPORT_SEGMENT, export_segment, export_segment, 1)
		DECODE(MESSAGE_EXPORT_PROGRESS, export_progress, export_progress, 0)
		DECODE(MESSAGE_EXPORT_SEGMENT_DONE, export_segment_done, export_segment_done, 0)
		DECODE(MESSAGE_EXPORT_RESULT, export_result, export_result, data[1] & 1)
		DECODE(MESSAGE_EXPORT_MANIFEST, export_manifest, export_manifest, 0)
	default:
		return 0;
	}
	/* A FAILURE carries any code of its own; everything else is right or a defect. */
	if (data[0] == MESSAGE_FAILURE)
		ASSERT(result < 0);
	else
		ASSERT(result == 0 || result == ERROR_DEFECT);
	ASSERT(result == 0 || err.message[0] != '\0');
	return 0;
}
