"""What two services need alike: events, hand-over, web edge, sign-in. No rule of the business lives here."""
