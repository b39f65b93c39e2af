"""Operations on plain Python objects from afar: verbs, policies, expressions and live proxies."""
