"""The one graph, the policies, and the runs they make; the only room that imports langgraph."""
