/* Stubs of a schema of one's own, against the installed libraries alone. */
#include <google/protobuf/timestamp.pb-c.h>
#include <herald/client.h>
#include <herald/json.h>
#include <herald/validate.h>
#include <shop/v1/shop.client.h>
#include <stdio.h>
#include <stdlib.h>

static void call_nobody(struct herald_channel *channel) {
    Shop__V1__GetShopRequest request = SHOP__V1__GET_SHOP_REQUEST__INIT;
    const Shop__V1__GetShopResponse *response = NULL;
    struct herald_reply reply = {0};
    request.shop_id = (char *)"shop-1";
    enum herald_code code = shop_v1_shop_service_get_shop(channel, &request, NULL, &reply, &response);
    printf("%s %s\n", herald_code_name(code), herald_outcome_name(reply.outcome));
    herald_reply_clear(&reply);
}

static void print_json(void) {
    Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Shop__V1__GetShopResponse response = SHOP__V1__GET_SHOP_RESPONSE__INIT;
    char *json = NULL;
    since.seconds = 1700000000;
    response.state = SHOP__V1__STATE__OPEN;
    response.since = &since;
    if (herald_json_write(&shop_v1_get_shop_response_schema, &response.base, NULL, &json, NULL) == HERALD_OK) {
        puts(json);
    }
    free(json);
}

static void print_what_is_wrong(void) {
    Shop__V1__GetShopRequest request = SHOP__V1__GET_SHOP_REQUEST__INIT;
    struct herald_error error = {0};
    (void)herald_validate(&shop_v1_get_shop_request_schema, &request.base, &error);
    printf("%s %s\n", error.details[0].field, error.details[0].reason);
}

int main(void) {
    struct herald_channel *channel = NULL;
    struct herald_channel_options options = {.connect_timeout_ms = 50};
    if (herald_channel_open("ipc:///nonexistent/shop.sock", &options, &channel, NULL) != HERALD_OK) {
        return 1;
    }
    call_nobody(channel);
    herald_channel_close(channel);
    print_json();
    print_what_is_wrong();
    printf("%s %s\n", shop_v1_state_name(SHOP__V1__STATE__CLOSED), shop_v1_state_name((Shop__V1__State)9));
    return 0;
}
