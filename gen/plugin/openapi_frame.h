#ifndef HERALD_GEN_OPENAPI_FRAME_H
#define HERALD_GEN_OPENAPI_FRAME_H

/** The text of openapi_frame.json: what of the document comes from no schema, with places for what does. */
extern const char openapi_frame[];

#endif
