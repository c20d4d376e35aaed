"""Where does the user's code make tasks, timers and threads, and what becomes of them?"""
