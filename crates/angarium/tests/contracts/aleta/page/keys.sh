curl https://api.aleta.io/v2/webhooks/keys \
  -H "Authorization: Bearer {token}"
