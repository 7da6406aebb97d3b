-- Inserts a draft.
-- Effect: write
-- $1 id  $2 user_id  $3 title  $4 prize  $5 brand_color  $6 logo_url  $7 store_name  $8 store_address  $9 store_phone
-- $10 objective  recommendation: $11 id  $12 title  $13 summary  $14 image_job_id
-- content: $15 job_id  $16 style  $17 png_url  $18 jpeg_url  $19 created_at  $20 updated_at $21 starts_at  $22 ends_at
INSERT INTO event_drafts (id, user_id, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
                          objective, recommendation_id, recommendation_title, recommendation_summary, image_job_id,
                          content_job_id, content_style, content_png_url, content_jpeg_url, created_at, updated_at,
                          starts_at, ends_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text,
        $10::text, $11::text, $12::text, $13::text, $14::uuid,
        $15::uuid, $16::text, $17::text, $18::text, $19::timestamptz, $20::timestamptz,
        $21::timestamptz, $22::timestamptz)
