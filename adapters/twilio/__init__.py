"""Twilio as a network that carries calls: signed webhooks in, TwiML out. It knows no menu, plan or priority."""
