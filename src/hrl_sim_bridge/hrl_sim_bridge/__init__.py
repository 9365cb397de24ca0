"""The plant: a warehouse and a robot in MuJoCo behind the topics of a real robot."""
