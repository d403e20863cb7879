"""A telephone without a network: it plays Twilio's part over the real, signed webhooks."""
