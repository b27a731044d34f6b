#include "pull/beginning.h"

#include <inttypes.h>
#include <string.h>

#include "binlog/event.h"
#include "pull/place.h"

void beginning_clear(struct beginning *beginning)
{
	beginning->count = 0;
}

static void hold(struct beginning *beginning, const struct segment_event *event,
		 const uint8_t *bytes, size_t size)
{
	size_t used = beginning->count > 0 ? beginning->sizes[0] : 0;

	ASSERT(beginning->count < BEGINNING_EVENTS_MAX && size <= sizeof(beginning->bytes) - used);
	memcpy(beginning->bytes + used, bytes, size);
	beginning->events[beginning->count] = *event;
	beginning->sizes[beginning->count++] = size;
}

static const char *naming_event(enum flavour flavour)
{
	return event_type_name(flavour == FLAVOUR_MYSQL ? EVENT_PREVIOUS_GTIDS
							: EVENT_MARIADB_GTID_LIST);
}

static int not_named(enum flavour flavour, const char *file, uint8_t type, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "%s begins with %s where %s is due: which file it is cannot be told, or "
			 "what is sent is not what the server wrote. Do: begin with a later file "
			 "(start = FILE)",
			 file, event_type_name(type), naming_event(flavour));
}

static int too_long(enum flavour flavour, const char *file, const struct received *item,
		    struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "the %s of %s has %" PRIu64 " bytes; %u are allowed at most. Do on the "
			 "server: %s",
			 event_type_name(item->type), file, item->length, FILE_ID_EVENT_MAX,
			 flavour == FLAVOUR_MYSQL
				 ? "see why its set of GTIDs has so many holes"
				 : "FLUSH BINARY LOGS DELETE_DOMAIN_ID=(ID, ...) for domains that "
				   "are no longer used");
}

int beginning_take(struct beginning *beginning, enum flavour flavour, const char *file,
		   const struct received *item, const uint8_t *format_event, size_t format_size,
		   struct error *err)
{
	uint8_t naming = flavour == FLAVOUR_MYSQL ? EVENT_PREVIOUS_GTIDS : EVENT_MARIADB_GTID_LIST;

	if (item->position == PLACE_FIRST_POSITION) {
		beginning_clear(beginning);
		hold(beginning, &item->event, format_event, format_size);
		return 1;
	}
	ASSERT(beginning->count > 0);
	if (item->type == naming) {
		if (!item->first || !item->last || item->length > FILE_ID_EVENT_MAX)
			return too_long(flavour, file, item, err);
		return 0;
	}
	if (flavour != FLAVOUR_MARIADB || item->type != EVENT_MARIADB_START_ENCRYPTION ||
	    beginning->count > 1 || !item->last || item->size > BEGINNING_SECOND_MAX)
		return not_named(flavour, file, item->type, err);
	hold(beginning, &item->event, item->bytes, item->size);
	return 1;
}

void beginning_file_id(const struct beginning *beginning, const struct identity *identity,
		       const char *file, const struct received *last, struct hash *ret_id)
{
	bool two = beginning->count > 1;

	file_id_compute(identity, file, beginning->bytes, beginning->sizes[0],
			two ? beginning->bytes + beginning->sizes[0] : last->bytes,
			two ? beginning->sizes[1] : last->size, ret_id);
}
